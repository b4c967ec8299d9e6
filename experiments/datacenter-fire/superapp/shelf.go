package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	vaultWait = 500 * time.Millisecond
	listWait  = 5 * time.Second // for all that a vault has
)

// shelf is one store on a set of vaults. A write counts when W of them have it,
// a read when so many have answered that one of them took part in every write.
type shelf struct {
	vaults []string
	w      int // 0: all given when there is one, a majority otherwise
}

func (s *shelf) bind(f *flag.FlagSet) {
	f.Func("vault", "host:port of each vault, comma separated", func(v string) error {
		for _, one := range strings.Split(v, ",") {
			if _, _, err := net.SplitHostPort(one); err != nil {
				return errors.New("write it as host:port,host:port")
			}
			s.vaults = append(s.vaults, one)
		}
		return nil
	})
	f.IntVar(&s.w, "copies", 0, "vaults that must have a write; 0: the only one, or a majority")
}

// quorum returns how many vaults a write and a read need.
func (s *shelf) quorum() (w, r int, err error) {
	n := len(s.vaults)
	w = s.w
	if w == 0 {
		w = n/2 + 1
	}
	if n == 0 || w < 1 || w > n {
		return 0, 0, fmt.Errorf("open the shelf: --copies must be 1 to the number of --vault, have %d of %d", s.w, n)
	}
	return w, n - w + 1, nil
}

// each calls every vault at once and hands on the answers as they come; a vault
// that is dark holds up nobody. What is under way when the caller leaves goes on.
func (s *shelf) each(ctx context.Context, do func(ctx context.Context, vault string) (any, error)) <-chan outcome {
	ctx = context.WithoutCancel(ctx)
	out := make(chan outcome, len(s.vaults))
	for _, v := range s.vaults {
		go func() {
			got, err := do(ctx, "http://"+v)
			if err != nil {
				err = fmt.Errorf("vault %s: %w", v, err)
			}
			out <- outcome{got, err}
		}()
	}
	return out
}

// outcome is what one vault answered.
type outcome struct {
	got any
	err error
}

// await returns the first need answers, or why so many can't come any more.
func (s *shelf) await(from <-chan outcome, need int) ([]any, error) {
	var got []any
	var errs []error
	for range s.vaults {
		o := <-from
		if o.err != nil {
			errs = append(errs, o.err)
		} else {
			got = append(got, o.got)
		}
		if len(got) == need {
			return got, nil
		}
		if len(errs) > len(s.vaults)-need {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// put stores body under key. It returns nil when W vaults have it on their disks.
func (s *shelf) put(ctx context.Context, key string, version int64, body []byte) error {
	w, _, err := s.quorum()
	if err != nil {
		return err
	}
	_, err = s.await(s.each(ctx, func(ctx context.Context, vault string) (any, error) {
		return nil, callVersion(ctx, vaultWait, http.MethodPut, vault+"/items/"+key, version, body, nil)
	}), w)
	if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusConflict {
		return errors.Join(errConflict, err)
	}
	return err
}

// get returns the newest version under key, errNoItem when there is none.
func (s *shelf) get(ctx context.Context, key string) (item, error) {
	_, need, err := s.quorum()
	if err != nil {
		return item{}, err
	}
	found, err := s.await(s.each(ctx, func(ctx context.Context, vault string) (any, error) {
		var i item
		err := call(ctx, vaultWait, http.MethodGet, vault+"/items/"+key, nil, &i)
		if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusNotFound {
			return item{}, nil // that is an answer
		}
		if err == nil && !i.whole() {
			err = errDamaged
		}
		return i, err
	}), need)
	if err != nil {
		return item{}, err
	}
	var newest item
	for _, f := range found {
		if i := f.(item); i.newer(newest) {
			newest = i
		}
	}
	if newest.Version == 0 {
		return item{}, errNoItem
	}
	return newest, nil
}

// list returns the items under prefix in the order in which they were stored
// first, without their bodies; last > 0: only so many of the newest.
func (s *shelf) list(ctx context.Context, prefix string, last int) ([]item, error) {
	_, need, err := s.quorum()
	if err != nil {
		return nil, err
	}
	wait := vaultWait
	if last == 0 {
		wait = listWait
	}
	q := url.Values{"prefix": {prefix}, "last": {strconv.Itoa(last)}}.Encode()
	lists, err := s.await(s.each(ctx, func(ctx context.Context, vault string) (any, error) {
		var all []item
		err := call(ctx, wait, http.MethodGet, vault+"/items?"+q, nil, &all)
		return all, err
	}), need)
	if err != nil {
		return nil, err
	}
	all := merge(lists)
	if last > 0 {
		all = all[max(0, len(all)-last):]
	}
	return all, nil
}

// merge joins lists of several copies: each key once, as old as its oldest copy.
func merge(lists []any) []item {
	byKey := map[string]item{}
	for _, l := range lists {
		for _, i := range l.([]item) {
			have, ok := byKey[i.Key]
			if !ok {
				byKey[i.Key] = i
				continue
			}
			at := min(have.At, i.At)
			if i.newer(have) {
				have = i
			}
			have.At = at
			byKey[i.Key] = have
		}
	}
	all := make([]item, 0, len(byKey))
	for _, i := range byKey {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b item) int { return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.Key, b.Key)) })
	return all
}
