package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// dark accepts connections and never answers.
func dark(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestShelfWithOneDarkCopy(t *testing.T) {
	a, b := address(t), address(t)
	for _, addr := range []string{a, b} {
		play(t, vault, "--listen", addr, "--data", t.TempDir())
		eventually(t, "open", func() bool { return stateOf(t, addr).Open })
	}
	s := shelf{vaults: []string{dark(t), a, b}}
	ctx := context.Background()
	begin := time.Now()
	for v := int64(1); v <= 3; v++ {
		if err := s.put(ctx, "k", v, []byte(fmt.Sprint(v))); err != nil {
			t.Fatal(err)
		}
		i, err := s.get(ctx, "k")
		if err != nil || i.Version != v {
			t.Fatalf("got %+v, %v", i, err)
		}
	}
	if _, err := s.get(ctx, "none"); !errors.Is(err, errNoItem) {
		t.Errorf("no item: %v", err)
	}
	if took := time.Since(begin); took > 700*time.Millisecond {
		t.Errorf("a dark copy slowed seven calls to %s", took)
	}
	// The twin: all three are wanted, and the dark one is missed in time.
	s.w, begin = 3, time.Now()
	if err := s.put(ctx, "k", 9, []byte("9")); err == nil {
		t.Error("three copies although one is dark")
	}
	if took := time.Since(begin); took > 700*time.Millisecond {
		t.Errorf("gave up after %s", took)
	}
	if s.w = 4; s.put(ctx, "k", 9, nil) == nil {
		t.Error("four copies of three")
	}
}
