package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const loginWait = 700 * time.Millisecond

// kakao is the way to Kakao's login for services outside the company.
type kakao struct {
	addrs []string
	turn  atomic.Uint64 // the address that answered last
}

func (k *kakao) bind(f *flag.FlagSet) {
	f.Func("login", "URL of each of Kakao's login services, comma separated", func(v string) error {
		for _, one := range strings.Split(v, ",") {
			if u, err := url.Parse(one); err != nil || u.Scheme != "http" || u.Host == "" {
				return errors.New("write it as http://host:port,…")
			}
			k.addrs = append(k.addrs, strings.TrimSuffix(one, "/"))
		}
		return nil
	})
}

// login logs the user in at one of the addresses in turn, beginning with the
// one that worked last.
func (k *kakao) login(ctx context.Context, user string) error {
	if len(k.addrs) == 0 {
		return errors.New("log in through Kakao: give --login http://host:port,…")
	}
	var errs []error
	for range k.addrs {
		turn := k.turn.Load()
		var got session
		err := call(ctx, loginWait, http.MethodPost, k.addrs[turn%uint64(len(k.addrs))]+"/login", map[string]string{"user": user}, &got)
		if err == nil && (got.User != user || got.Token == "") {
			err = errors.New("the answer is no session")
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
		k.turn.CompareAndSwap(turn, turn+1)
	}
	return fmt.Errorf("log in through Kakao: %w", errors.Join(errs...))
}
