package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/journal"
)

// statusReport is what status --json prints.
type statusReport struct {
	Root     string           `json:"root"`
	Agent    string           `json:"agent"` // running, or not
	PID      int              `json:"pid,omitempty"`
	Version  string           `json:"version,omitempty"`
	Guardian string           `json:"guardian"` // running, or not
	Damaged  string           `json:"damaged,omitempty"`
	Live     []journal.Record `json:"live"`
	Ended    []journal.Record `json:"ended"` // the last ones
}

const (
	running    = "running"
	notRunning = "not running"
	lastEnded  = 10
)

func newStatusCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show live and ended injections, agent and guardian",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readStatus(o.root)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(s)
			}
			return s.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return cmd
}

// readStatus reads what is on disk and in /proc: no agent is asked.
func readStatus(root string) (statusReport, error) {
	s := statusReport{Root: root, Agent: notRunning, Guardian: notRunning}
	live, ended, bad, err := journal.Read(journal.Path(root))
	if err != nil {
		return s, err
	}
	s.Live, s.Ended = live, ended[max(0, len(ended)-lastEnded):]
	if bad != nil {
		s.Damaged = bad.Error()
	}
	bootID, err := guardian.BootID()
	if err != nil {
		return s, err
	}
	state, err := guardian.ReadState(root, bootID)
	if err != nil {
		return s, err
	}
	if state.Agent.Alive() {
		s.Agent, s.PID, s.Version = running, state.Agent.PID, state.Version
	}
	if state.Guardian.Alive() {
		s.Guardian = running
	}
	return s, nil
}

func (s statusReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "agent\t%s\n", s.Agent)
	_, _ = fmt.Fprintf(w, "guardian\t%s\n", s.Guardian)
	_, _ = fmt.Fprintf(w, "state\t%s\n", s.Root)
	if s.Damaged != "" {
		_, _ = fmt.Fprintf(w, "journal\tdamaged: %s; no new injections are taken\n", s.Damaged)
	}
	printRecords(w, "live", s.Live)
	printRecords(w, "ended", s.Ended)
	return w.Flush()
}

func printRecords(w io.Writer, title string, records []journal.Record) {
	_, _ = fmt.Fprintf(w, "%s\t%d\n", title, len(records))
	for _, r := range records {
		host := ""
		if r.Target != nil {
			host = r.Target.Host
		}
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Kind, host, r.Phase, r.By, r.Wall.Format(time.RFC3339))
	}
}
