//go:build !failpoint

package main

import "github.com/firedrill-io/firedrill/hostagent/internal/guardian"

func addTestKinds(guardian.Drivers) {}
