package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	repairEvery = 500 * time.Millisecond
	repairWait  = 2 * time.Second // for one answer of a peer, which may have just started
)

// repair opens a shut copy as soon as it has checked every item of its own and
// taken from at least one peer what is newer there. Peers that are shut
// themselves answer too: after a cut of all copies none waits for another.
func (v *vaultCopy) repair(ctx context.Context) {
	for last := ""; v.shut.Load() != nil; {
		err := v.repairOnce(ctx)
		if err == nil {
			v.open()
			return
		}
		if err.Error() != last {
			last = err.Error()
			v.log.Info("not repaired yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(repairEvery):
		}
	}
}

func (v *vaultCopy) repairOnce(ctx context.Context) error {
	_, damaged, err := v.check(ctx)
	if err != nil {
		return err
	}
	bad := map[string]bool{}
	for _, key := range damaged {
		bad[key] = true
	}
	var errs []error
	for _, peer := range v.peers {
		if err := v.takeFrom(ctx, peer, bad); err != nil {
			errs = append(errs, fmt.Errorf("repair from %s: %w", peer, err))
		}
	}
	if len(errs) == len(v.peers) {
		return errors.Join(errs...)
	}
	if len(bad) > 0 {
		return fmt.Errorf("repair the vault: no peer that answers has a good copy of %d damaged items", len(bad))
	}
	return nil
}

// takeFrom stores what the peer has newer, or whole where it is damaged here.
func (v *vaultCopy) takeFrom(ctx context.Context, peer string, bad map[string]bool) error {
	own, err := v.list(ctx, "", 0)
	if err != nil {
		return err
	}
	mine := make(map[string]item, len(own))
	for _, i := range own {
		mine[i.Key] = i
	}
	for since, full := int64(0), true; full; {
		var page []item
		if err := call(ctx, repairWait, http.MethodGet, "http://"+peer+"/raw?since="+strconv.FormatInt(since, 10), nil, &page); err != nil {
			return err
		}
		for _, theirs := range page {
			since = theirs.Seq
			have, ok := mine[theirs.Key]
			if ok && !theirs.newer(have) && (!bad[theirs.Key] || have.newer(theirs)) {
				continue
			}
			if err := v.takeItem(ctx, peer, theirs.Key, have); err != nil {
				v.log.Info("not taken", "peer", peer, "key", theirs.Key, "error", err)
				continue // it may be damaged there; another peer may have it
			}
			delete(bad, theirs.Key)
		}
		full = len(page) == rawBatch
	}
	return nil
}

func (v *vaultCopy) takeItem(ctx context.Context, peer, key string, have item) error {
	var i item
	if err := call(ctx, repairWait, http.MethodGet, "http://"+peer+"/raw/"+key, nil, &i); err != nil {
		return err
	}
	if i.Key != key || !i.whole() || have.newer(i) {
		return errors.New("take the item: what came is not what was listed")
	}
	return v.replace(ctx, i)
}
