package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"
)

const checkWait = 10 * time.Second // a vault reads all it has

// check is what a person runs after the power is back: it makes vaults check
// what they hold and prints what they found. It asks again where nobody
// answered; it is an error when none has opened.
func check(ctx context.Context, args []string, log *slog.Logger) error {
	var s shelf
	f := flag.NewFlagSet("check", flag.ContinueOnError)
	s.bind(f)
	insist := f.Duration("insist", 10*time.Second, "how long to ask vaults that do not answer")
	if err := f.Parse(args); err != nil {
		return err
	}
	if len(s.vaults) == 0 {
		return errors.New("check: give --vault host:port,…")
	}
	ctx, cancel := context.WithTimeout(ctx, *insist)
	defer cancel()
	type report struct {
		found findings
		err   error
	}
	reports := make(chan report)
	for _, v := range s.vaults {
		go func() {
			var r report
			r.err = step{"check " + v, func(context.Context) error {
				return call(ctx, checkWait, http.MethodPost, "http://"+v+"/check", nil, &r.found)
			}}.insist(ctx, log)
			if r.err == nil {
				fmt.Fprintf(os.Stdout, "%s: %d items, %d damaged, open: %t %v\n", v, r.found.Items, len(r.found.Damaged), r.found.Open, r.found.Damaged)
			}
			reports <- r
		}()
	}
	opened := 0
	var errs []error
	for range s.vaults {
		r := <-reports
		if r.found.Open {
			opened++
		}
		errs = append(errs, r.err)
	}
	if opened == 0 {
		return errors.Join(append(errs, errors.New("check: no vault has opened; replace the damaged items or the vault"))...)
	}
	return nil
}
