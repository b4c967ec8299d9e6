package main

// The faults that are part of this binary, one line each: their packages
// register themselves.
import (
	_ "github.com/firedrill-io/firedrill/plugins/bandwidth"
	_ "github.com/firedrill-io/firedrill/plugins/clock"
	_ "github.com/firedrill-io/firedrill/plugins/corrupt"
	_ "github.com/firedrill-io/firedrill/plugins/cpu"
	_ "github.com/firedrill-io/firedrill/plugins/delay"
	_ "github.com/firedrill-io/firedrill/plugins/diskfill"
	_ "github.com/firedrill-io/firedrill/plugins/diskstall"
	_ "github.com/firedrill-io/firedrill/plugins/dns"
	_ "github.com/firedrill-io/firedrill/plugins/duplicate"
	_ "github.com/firedrill-io/firedrill/plugins/files"
	_ "github.com/firedrill-io/firedrill/plugins/io"
	_ "github.com/firedrill-io/firedrill/plugins/kill"
	_ "github.com/firedrill-io/firedrill/plugins/linkdown"
	_ "github.com/firedrill-io/firedrill/plugins/loss"
	_ "github.com/firedrill-io/firedrill/plugins/memory"
	_ "github.com/firedrill-io/firedrill/plugins/partition"
	_ "github.com/firedrill-io/firedrill/plugins/pause"
	_ "github.com/firedrill-io/firedrill/plugins/pids"
	_ "github.com/firedrill-io/firedrill/plugins/powerloss"
	_ "github.com/firedrill-io/firedrill/plugins/reset"
	_ "github.com/firedrill-io/firedrill/plugins/service"
)
