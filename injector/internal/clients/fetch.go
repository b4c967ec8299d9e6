package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout  = 3 * time.Second  // a host that is gone answers no call at all
	fetchTimeout = 30 * time.Second // of one read-back: tens of thousands of numbers, on a busy machine
	fetchLimit   = 64 << 20         // bytes of one read-back
)

// get returns the body of the first URL that answers 200.
func get(ctx context.Context, urls []string) (string, error) {
	client := &http.Client{Timeout: fetchTimeout, Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
	}}
	var errs []error
	for _, url := range urls {
		body, err := getOne(ctx, client, url)
		if err == nil {
			return body, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return "", errors.New("fetch: no URL given")
	}
	return "", errors.Join(errs...)
}

func getOne(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", url, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, fetchLimit))
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("fetch %s: status %d: %.200s", url, resp.StatusCode, body)
	}
	return string(body), nil
}
