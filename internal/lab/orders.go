package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// serveOrders answers orders on socket until ctx is done.
func serveOrders(ctx context.Context, serving *sync.WaitGroup, socket string, obey func(context.Context, string) error) error {
	l, err := listenWire(socket)
	if err != nil {
		return fmt.Errorf("listen for orders: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	serving.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			serving.Go(func() {
				w := newWire(conn)
				defer w.close()
				var o order
				if _, err := w.receive(&o); err != nil {
					return
				}
				var done outcome
				if err := obey(ctx, o.Op); err != nil {
					done.Error = err.Error()
				}
				_ = w.send(done)
			})
		}
	})
	return nil
}

// give sends an order to the role that listens on socket.
func give(ctx context.Context, socket, op string) error {
	w, err := dialWire(socket)
	if err != nil {
		return fmt.Errorf("reach lab: %w: is it still up?", err)
	}
	defer w.close()
	stop := context.AfterFunc(ctx, func() { _ = w.c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var done outcome
	if err := w.ask(order{Op: op}, &done); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("order %s: %w", op, err)
	}
	if done.Error != "" {
		return errors.New(done.Error)
	}
	return nil
}
