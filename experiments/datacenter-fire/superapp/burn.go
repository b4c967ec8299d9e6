package main

import (
	"context"
	"flag"
	"log/slog"
	"runtime"
)

// burn is a service that runs wild: it keeps as many CPUs busy as it has threads
// and serves nobody.
func burn(ctx context.Context, args []string, _ *slog.Logger) error {
	f := flag.NewFlagSet("burn", flag.ContinueOnError)
	threads := f.Int("threads", runtime.NumCPU(), "how many loops run at once")
	if err := f.Parse(args); err != nil {
		return err
	}
	runtime.GOMAXPROCS(*threads + 1) // one is for the signal that ends it
	for range *threads {
		go func() {
			for n := 0; ctx.Err() == nil; n++ {
				for range 1 << 20 {
					n++
				}
			}
		}()
	}
	<-ctx.Done()
	return nil
}
