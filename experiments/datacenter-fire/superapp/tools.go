//go:build tools

package main

// The stock servers under test are built from here, so that this go.mod holds
// their versions and the product's go.mod stays free of them.
import (
	_ "github.com/nats-io/nats-server/v2"
	_ "go.etcd.io/etcd/server/v3"
)
