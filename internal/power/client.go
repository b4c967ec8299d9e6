package power

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// maxLine bounds one message on the socket.
const maxLine = 1 << 20

// Client asks a power controller over its unix socket.
type Client struct{ socket string }

// NewClient returns a client of the controller that listens on socket. Nothing is dialled yet.
func NewClient(socket string) *Client { return &Client{socket: socket} }

// Status says what host consists of now. A host that is dark is no error: Status.On is false.
func (c *Client) Status(ctx context.Context, host string) (Status, error) {
	return c.call(ctx, Request{Op: OpStatus, Host: host})
}

// On boots host and returns its status once it runs. A host that is on and
// sound stays as it is; what is left of one that was cut half-way is ended first.
func (c *Client) On(ctx context.Context, host string) (Status, error) {
	return c.call(ctx, Request{Op: OpOn, Host: host})
}

func (c *Client) call(ctx context.Context, req Request) (Status, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return Status{}, fmt.Errorf("reach power controller: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return Status{}, fmt.Errorf("ask power controller for %s of %s: %w", req.Op, req.Host, orContext(ctx, err))
	}
	line, err := readLine(conn)
	if err != nil {
		return Status{}, fmt.Errorf("read answer of power controller to %s of %s: %w", req.Op, req.Host, orContext(ctx, err))
	}
	var resp Response
	if err := json.Unmarshal(line, &resp); err != nil {
		return Status{}, fmt.Errorf("decode answer of power controller: %w", err)
	}
	if resp.Error != "" {
		return resp.Status, errors.New(resp.Error)
	}
	return resp.Status, nil
}

func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// readLine reads one message.
func readLine(conn net.Conn) ([]byte, error) {
	s := bufio.NewScanner(conn)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	if s.Scan() {
		return s.Bytes(), nil
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return nil, errors.New("connection closed without a line")
}
