package power

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// Controller boots hosts and says what they consist of. Its methods are called
// concurrently.
type Controller interface {
	Status(ctx context.Context, host string) (Status, error)
	On(ctx context.Context, host string) (Status, error)
}

// Listen opens the controller's socket for root alone.
func Listen(socket string) (net.Listener, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen for power commands: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("restrict power socket: %w", err)
	}
	return l, nil
}

// Serve answers one request a connection until ctx is done, then waits for the
// requests in flight.
func Serve(ctx context.Context, l net.Listener, c Controller) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("accept power command: %w", err)
		}
		open.Go(func() {
			defer conn.Close()
			_ = json.NewEncoder(conn).Encode(answer(ctx, conn, c))
		})
	}
}

func answer(ctx context.Context, conn net.Conn, c Controller) Response {
	line, err := readLine(conn)
	if err != nil {
		return Response{Error: "read power command: " + err.Error()}
	}
	var req Request
	if err := json.Unmarshal(line, &req); err != nil {
		return Response{Error: "decode power command: " + err.Error()}
	}
	var status Status
	switch req.Op {
	case OpStatus:
		status, err = c.Status(ctx, req.Host)
	case OpOn:
		status, err = c.On(ctx, req.Host)
	default:
		err = fmt.Errorf("unknown power command %q: it is status or on", req.Op)
	}
	if err != nil {
		return Response{Error: err.Error(), Status: status}
	}
	return Response{Status: status}
}
