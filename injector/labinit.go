package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/prerelease"
	"github.com/firedrill-io/firedrill/internal/lab"
)

func newLabInitCommand() *cobra.Command {
	var s prerelease.Service
	cmd := &cobra.Command{
		Use:   "init [FOLDER] --port N -- COMMAND [ARGUMENT]…",
		Short: "Write a lab file with replicas of your service, and one pre-release experiment a fault",
		Long: `Writes a lab file with replicas of your service in three zones, and experiments
that take away power, network and CPU from some of them.

COMMAND runs on each replica, in the foreground, as root, with /data for its
files. In its arguments ${ip} and ${host} are the replica's own address and name,
${ip.r1}, ${ip.r2}, … the addresses of all; put them in single quotes.`,
		Example: `  injector lab init drills --port 6379 -- redis-server --bind '${ip}' --dir /data --appendonly yes`,
	}
	f := cmd.Flags()
	f.IntVar(&s.Replicas, "replicas", 3, fmt.Sprintf("how many, from %d to %d", prerelease.LeastReplicas, prerelease.MostReplicas))
	f.IntVar(&s.Port, "port", 0, "TCP port that each replica serves on")
	f.StringVar(&s.Ready, "ready", "", "HTTP path that a ready replica answers with 200, such as /healthz (default: it takes a connection)")
	f.StringVar(&s.Name, "name", "", "name of the service (default: the command's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, argv, err := splitAtDash(cmd, args)
		if err != nil {
			return withCode(exitUsage, err)
		}
		if err := complete(&s, argv); err != nil {
			return withCode(exitUsage, err)
		}
		names, err := prerelease.Write(dir, s)
		if err != nil {
			return withCode(exitUsage, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "wrote %s with %d replicas of %s, and %s; next:\n  injector plan %[5]s\n  injector run %[5]s --lab\n",
			filepath.Join(dir, prerelease.LabFile), s.Replicas, s.Name, strings.Join(names, ", "), filepath.Join(dir, names[0]))
		if s.Copy {
			fmt.Fprintf(cmd.OutOrStdout(), "%s was copied to %s, as lab hosts do not see its folder: copy it again after a new build\n", s.Exec, filepath.Join(dir, prerelease.Services))
		}
		return nil
	}
	return cmd
}

// splitAtDash parts the folder from the command after --.
func splitAtDash(cmd *cobra.Command, args []string) (dir string, argv []string, err error) {
	at := cmd.ArgsLenAtDash()
	if at < 0 || at == len(args) {
		return "", nil, errors.New("read command line: give the service's command after --")
	}
	if at > 1 {
		return "", nil, fmt.Errorf("read command line: %d folders given; give one, before --", at)
	}
	if at == 0 {
		return ".", args, nil
	}
	return args[0], args[1:], nil
}

// serviceName is what the lab file takes as a name.
var serviceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// complete checks what was given and fills in the rest.
func complete(s *prerelease.Service, argv []string) error {
	program, err := findProgram(argv[0])
	if err != nil {
		return err
	}
	s.Program, s.Exec, s.Args = program, filepath.Base(argv[0]), argv[1:]
	s.Copy = lab.Hides(program)
	switch {
	case s.Replicas < prerelease.LeastReplicas || s.Replicas > prerelease.MostReplicas:
		return fmt.Errorf("read --replicas: %d is not from %d to %d", s.Replicas, prerelease.LeastReplicas, prerelease.MostReplicas)
	case s.Port < 1 || s.Port > 65535:
		return fmt.Errorf("read --port: %d is not a port from 1 to 65535; give the one that the service serves on", s.Port)
	case s.Ready != "" && !strings.HasPrefix(s.Ready, "/"):
		return fmt.Errorf("read --ready: %q is not a path such as /healthz", s.Ready)
	}
	if s.Name == "" {
		s.Name = strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s.Exec), "-"), "-")
	}
	if !serviceName.MatchString(s.Name) {
		return fmt.Errorf("read --name: %q is not a name of small letters, digits and -", s.Name)
	}
	return nil
}

// findProgram returns the absolute path of a command, as a shell would find it.
func findProgram(name string) (string, error) {
	var tried []string
	folders := []string{""}
	if !strings.Contains(name, "/") {
		folders = filepath.SplitList(os.Getenv("PATH"))
	}
	for _, dir := range folders {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("find command: %w", err)
		}
		if i, err := os.Stat(path); err == nil && i.Mode().IsRegular() && i.Mode()&0o111 != 0 {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", fmt.Errorf("find command %s: no such program (%s)", name, strings.Join(tried, ", "))
}

const servicesHelp = "folder with the programs of the lab's services (default: services beside the file, else lab beside the injector)"

// servicesFor is the folder with the programs of a lab's services: the one that
// lab init made beside the experiment or lab file, else the one beside the injector.
func servicesFor(path string) string {
	dir := path
	if i, err := os.Stat(path); err == nil && !i.IsDir() {
		dir = filepath.Dir(path)
	}
	own, err := filepath.Abs(filepath.Join(dir, prerelease.Services))
	if err != nil {
		return besideInjector("lab")
	}
	if i, err := os.Stat(own); err == nil && i.IsDir() {
		return own
	}
	return besideInjector("lab")
}
