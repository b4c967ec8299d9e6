package redfish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/stmcginnis/gofish/common"
)

// Why a controller does not do what it is asked. They are found by errors.Is.
var (
	// ErrUnreachable: it does not answer, or not as who it should be.
	ErrUnreachable = errors.New("controller unreachable")
	// ErrDenied: it does not let this user do this.
	ErrDenied = errors.New("denied by the controller")
	// ErrNoSystem: it has no such machine.
	ErrNoSystem = errors.New("no such system")
	// ErrBusy: it asked for patience for longer than the caller had.
	ErrBusy = errors.New("controller busy")
	// ErrConfig: the file of controllers is not there, not root's alone, or wrong.
	ErrConfig = errors.New("configuration of controllers")
)

var meanings = map[int]error{
	http.StatusUnauthorized: ErrDenied, http.StatusForbidden: ErrDenied, http.StatusNotFound: ErrNoSystem,
	http.StatusServiceUnavailable: ErrBusy, http.StatusTooManyRequests: ErrBusy,
}

// failed says what was asked of whom and what came of it; nil stays nil.
func (s *Session) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var answer *common.Error
	if !errors.As(err, &answer) || answer.HTTPReturnedStatusCode == 0 {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: %w", op, err)
		}
		return fmt.Errorf("%s: %w: %w", op, ErrUnreachable, err)
	}
	text := answer.Message
	if len(answer.ExtendedInfos) > 0 {
		text = cmp.Or(answer.ExtendedInfos[0].Message, text)
	}
	err = fmt.Errorf("controller %s answers %d %s: %.200s", s.at.URL, answer.HTTPReturnedStatusCode, http.StatusText(answer.HTTPReturnedStatusCode), text)
	if meaning := meanings[answer.HTTPReturnedStatusCode]; meaning != nil {
		return fmt.Errorf("%s: %w: %w", op, meaning, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// statusOf is the status code of a controller's refusal; 0: it is none.
func statusOf(err error) int {
	var answer *common.Error
	if errors.As(err, &answer) {
		return answer.HTTPReturnedStatusCode
	}
	return 0
}
