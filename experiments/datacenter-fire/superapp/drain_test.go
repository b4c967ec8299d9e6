package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
)

// While messages come in, the company moves from a store that stands to its
// mirror. What was acknowledged before, during and after is in the new store,
// the old one takes no more, and moving again changes nothing.
func TestDrain(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	c.store(t, 1, 20)
	stop := make(chan struct{})
	var acked []int
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 20; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if send(c.gateway, n) == 201 {
				acked = append(acked, n)
			}
		}
	})
	args := append(c.flags, "--from", "pangyo", "--to", "anyang")
	for range 2 {
		if err := drain(context.Background(), args, slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	close(stop)
	wg.Wait()
	c.pangyo.kill()

	var a active
	if !fetch(t, "http://"+c.gateway+"/active", &a) || a != (active{"anyang", 2, stateActive}) {
		t.Errorf("active: %+v, want anyang at epoch 2", a)
	}
	var stored []int
	eventually(t, "the new store is read", func() bool { return fetch(t, "http://"+c.gateway+"/ids", &stored) })
	for _, n := range acked {
		if !slices.Contains(stored, n) {
			t.Errorf("message %d was acknowledged and is not in the new store", n)
		}
	}
	if len(acked) == 0 || acked[len(acked)-1] <= len(acked)+19 {
		t.Errorf("%d messages acknowledged up to %v: none was refused meanwhile", len(acked), acked[max(0, len(acked)-3):])
	}
}

// A mirror that is away does not get all: the old store takes messages again,
// and the company is where it was.
func TestDrainIsTakenBack(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	c.anyang.kill()
	args := append(c.flags, "--from", "pangyo", "--to", "anyang", "--insist", "4s")
	if err := drain(context.Background(), args, slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil {
		t.Fatal("moved to a store that is away")
	}
	eventually(t, "the old store takes messages again", func() bool { return send(c.gateway, 1) == 201 })
	var a active
	if !fetch(t, "http://"+c.gateway+"/active", &a) || a != (active{"pangyo", 1, stateActive}) {
		t.Errorf("active: %+v, want pangyo at epoch 1", a)
	}
}
