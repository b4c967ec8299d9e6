package lab_test

import (
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main()
	m.Run()
}
