package main

import (
	"context"
	"io"
	"log/slog"
	"os/exec"
	"slices"
	"testing"
)

// restart starts a killed server anew, on the same disk.
func (s *server) restart(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.cmd.Path, s.cmd.Args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) restart(t *testing.T) {
	t.Helper()
	for _, s := range c.servers {
		s.restart(t)
	}
}

// What only the old site's disks have is in the active store after a rejoin, the
// old site is a mirror with all of it, and rejoining twice is the same as once.
// Without the rejoin (the first look) the message is missing.
func TestRejoin(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	c.store(t, 1, 10)
	c.anyang.kill() // the mirror hears nothing from here on
	if got := send(c.gateway, 100); got != 201 {
		t.Fatalf("message 100: status %d", got)
	}
	c.pangyo.kill()
	c.anyang.restart(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if err := promote(context.Background(), []string{"--store", c.anyang.flag, "--to", "anyang", "--doors", c.gateway, "--secret", "s"}, log); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mirror takes messages", func() bool { return send(c.gateway, 11) == 201 })
	read := func(where string) (ns []int) {
		fetch(t, "http://"+c.gateway+where, &ns)
		return ns
	}
	if ns := read("/messages"); len(ns) == 0 || slices.Contains(ns, 100) {
		t.Fatalf("before the rejoin the active store holds %v, want all but 100", ns)
	}
	c.pangyo.restart(t)
	back := []string{"--store", c.pangyo.flag, "--store", c.anyang.flag, "--to", "anyang", "--back", "pangyo"}
	for range 2 {
		if err := rejoin(context.Background(), back, log); err != nil {
			t.Fatal(err)
		}
	}
	if ns := read("/messages"); !slices.Contains(ns, 100) || !slices.Contains(ns, 11) {
		t.Errorf("after the rejoin the active store holds %v, want 11 and 100 too", ns)
	}
	eventually(t, "pangyo mirrors everything", func() bool {
		ns := read("/ids?site=pangyo")
		return slices.Contains(ns, 100) && slices.Contains(ns, 11) && slices.Contains(ns, 5)
	})
	if err := rejoin(context.Background(), []string{"--store", c.pangyo.flag, "--to", "anyang", "--back", "pangyo"}, log); err == nil {
		t.Error("a store that nobody named was no error")
	}
}

// When etcd comes back with yesterday's truth, correct writes what the doors
// were told meanwhile, and a desk that was told nothing follows.
func TestCorrect(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	other := address(t)
	play(t, gateway, append(c.flags, "--listen", other, "--door", "s", "--data", t.TempDir())...)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	tell := []string{"--store", c.anyang.flag, "--to", "anyang", "--doors", c.gateway, "--secret", "s"}
	c.pangyo.kill()
	if err := promote(context.Background(), tell, log); err != nil {
		t.Fatal(err)
	}
	site := func() string {
		var a active
		fetch(t, "http://"+other+"/active", &a)
		return a.Site
	}
	if got := site(); got != "pangyo" {
		t.Fatalf("a desk that was told nothing is at %q, want pangyo", got)
	}
	for range 2 {
		if err := correct(context.Background(), []string{"--etcd", c.url, "--doors", c.gateway}, log); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the other desk follows", func() bool { return site() == "anyang" })
}
