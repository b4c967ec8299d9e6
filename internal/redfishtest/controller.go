// Package redfishtest is a management controller to test with: it serves the few
// Redfish resources (DMTF DSP0266) that switching a machine needs, over TLS, and
// misbehaves on order as real ones do.
package redfishtest

import (
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// User and Password let in.
const (
	User     = "firedrill"
	Password = "of the test"
)

// Manners are what a controller does. The zero value has one machine that is off
// and switches it at once.
type Manners struct {
	On      bool          // the machine's power now
	Takes   time.Duration // from an order until the machine has obeyed
	Killed  bool          // whoever uses it is killed now and then: logins may be left
	Lies    bool          // answers 200 to an order and does nothing
	Busy    int           // requests to come that are answered 503
	After   int           // seconds in Retry-After of these; 0: not said
	Moved   int           // orders to come that are answered 412, as if the state had changed
	Down    bool          // closes connections without a word
	Systems []string      // Ids; nil: "1". All have the same machine.
	UUID    string
	Resets  []string // kinds that it knows; nil: ForceOff and On
	Silent  bool     // does not say which it knows
	// Switched, if set, is told when the machine has obeyed.
	Switched func(on bool)
}

// sessions is how many logins a controller has room for.
const sessions = 4

// Controller is one that is being served.
type Controller struct {
	server *httptest.Server

	mu     sync.Mutex
	is     Manners
	tokens map[string]string // by path of the session
	orders []string
	state  string // while the machine is on its way; "" otherwise
	change int    // counts changes of the state, for the ETag
}

// New serves a controller until the test ends, which fails if a login is left.
func New(t testing.TB, m Manners) *Controller {
	t.Helper()
	return NewOn(t, nil, m)
}

// NewOn is New for a listener of the caller; nil: one on loopback.
func NewOn(t testing.TB, l net.Listener, m Manners) *Controller {
	t.Helper()
	c := &Controller{is: m, tokens: map[string]string{}}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	if l != nil {
		_ = c.server.Listener.Close()
		c.server.Listener = l
	}
	c.server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	c.server.StartTLS()
	t.Cleanup(func() {
		c.server.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.tokens) > 0 && !c.is.Killed {
			t.Errorf("%d sessions are left at the controller", len(c.tokens))
		}
	})
	return c
}

// Set changes its manners.
func (c *Controller) Set(change func(*Manners)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.is)
}

// On says whether the machine has power.
func (c *Controller) On() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is.On
}

// Orders are the kinds of Reset that were carried out or claimed to be.
func (c *Controller) Orders() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.orders)
}

// URL is where it is served.
func (c *Controller) URL() string { return c.server.URL }

// File writes the agent's file of controllers, which names this one for host,
// and returns its path. More are lines for the host, each with its comma.
func (c *Controller) File(t testing.TB, host, more string) string {
	t.Helper()
	dir := t.TempDir()
	ca, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "bmc.yaml")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})
	text := fmt.Sprintf("hosts:\n  %s: {%surl: %q, ca: %q, user: %s, password: %q}\n", host, more, c.URL(), ca, User, Password)
	for path, b := range map[string][]byte{ca: cert, file: []byte(text)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func (c *Controller) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.is.Down:
		panic(http.ErrAbortHandler)
	case c.is.Busy > 0 && r.Method != http.MethodDelete:
		c.is.Busy--
		if c.is.After > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(c.is.After))
		}
		refuse(w, http.StatusServiceUnavailable, "the service is starting")
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case path == root:
		answer(w, map[string]any{"@odata.id": root, "Systems": link(systemsPath), "Links": map[string]any{"Sessions": link(sessionsPath)}})
	case path == sessionsPath && r.Method == http.MethodPost:
		c.logIn(w, r)
	case !slices.Contains(slices.Collect(maps.Values(c.tokens)), r.Header.Get("X-Auth-Token")):
		refuse(w, http.StatusUnauthorized, "no valid session")
	case strings.HasPrefix(path, sessionsPath) && r.Method == http.MethodDelete:
		delete(c.tokens, path)
		w.WriteHeader(http.StatusNoContent)
	default:
		c.serveSystems(w, r, path)
	}
}

const (
	root         = "/redfish/v1"
	systemsPath  = root + "/Systems"
	sessionsPath = root + "/SessionService/Sessions"
	resetPath    = "/Actions/ComputerSystem.Reset"
)

func (c *Controller) logIn(w http.ResponseWriter, r *http.Request) {
	var who struct{ UserName, Password string }
	if json.NewDecoder(r.Body).Decode(&who) != nil || who.UserName != User || who.Password != Password {
		refuse(w, http.StatusUnauthorized, "no such user, or another password")
		return
	}
	if len(c.tokens) == sessions {
		refuse(w, http.StatusServiceUnavailable, "too many sessions")
		return
	}
	path, token := sessionsPath+"/"+rand.Text(), rand.Text()
	c.tokens[path] = token
	w.Header().Set("X-Auth-Token", token)
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusCreated)
}

func (c *Controller) serveSystems(w http.ResponseWriter, r *http.Request, path string) {
	ids := c.is.Systems
	if ids == nil {
		ids = []string{"1"}
	}
	if path == systemsPath {
		members := []any{}
		for _, id := range ids {
			members = append(members, link(systemsPath+"/"+id))
		}
		answer(w, map[string]any{"Members": members, "Members@odata.count": len(members)})
		return
	}
	id, isReset := strings.CutSuffix(strings.TrimPrefix(path, systemsPath+"/"), resetPath)
	switch {
	case !slices.Contains(ids, id):
		refuse(w, http.StatusNotFound, "no such resource")
	case isReset && r.Method == http.MethodPost:
		c.reset(w, r)
	default:
		w.Header().Set("ETag", c.tag())
		answer(w, c.system(id))
	}
}

func (c *Controller) tag() string { return fmt.Sprintf(`W/"%d"`, c.change) }

func (c *Controller) kinds() []string {
	if c.is.Resets == nil {
		return []string{"ForceOff", "On"}
	}
	return c.is.Resets
}

func (c *Controller) system(id string) map[string]any {
	state := c.state
	if state == "" {
		state = map[bool]string{true: "On", false: "Off"}[c.is.On]
	}
	path := systemsPath + "/" + id
	reset := map[string]any{"target": path + resetPath}
	if !c.is.Silent {
		reset["ResetType@Redfish.AllowableValues"] = c.kinds()
	}
	return map[string]any{
		"@odata.id": path, "@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem", "Id": id, "UUID": c.is.UUID, "PowerState": state,
		"Actions": map[string]any{"#ComputerSystem.Reset": reset},
	}
}

// reset takes an order; the machine obeys it after a while.
func (c *Controller) reset(w http.ResponseWriter, r *http.Request) {
	var order struct{ ResetType string }
	switch err := json.NewDecoder(r.Body).Decode(&order); {
	case err != nil || !slices.Contains(c.kinds(), order.ResetType):
		refuse(w, http.StatusBadRequest, "the value of ResetType is not in the list of acceptable values")
		return
	case c.is.Moved > 0:
		c.is.Moved--
		c.change++
		refuse(w, http.StatusPreconditionFailed, "the ETag did not match")
		return
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != c.tag():
		refuse(w, http.StatusPreconditionFailed, "the ETag did not match")
		return
	}
	c.orders = append(c.orders, order.ResetType)
	if !c.is.Lies {
		c.obey(order.ResetType != "ForceOff")
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *Controller) obey(on bool) {
	c.change++
	if c.is.Takes == 0 {
		c.obeyed(on)
		return
	}
	c.state = map[bool]string{true: "PoweringOn", false: "PoweringOff"}[on]
	time.AfterFunc(c.is.Takes, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.obeyed(on)
	})
}

func (c *Controller) obeyed(on bool) {
	c.is.On, c.state = on, ""
	c.change++
	if c.is.Switched != nil {
		c.is.Switched(on)
	}
}

func link(path string) map[string]any { return map[string]any{"@odata.id": path} }

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// refuse answers in the form of DSP0266, 8.6.
func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": "Base.1.18.GeneralError", "message": "see the extended information",
		"@Message.ExtendedInfo": []any{map[string]any{"Message": text}},
	}})
}
