package example

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const root = "../.."

// block is one fenced block of a page; kind is all that stands behind the fence.
type block struct{ kind, text string }

func blocks(t *testing.T, page string) (out []block) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```(\\S[^\n]*)\n(.*?)^```$").FindAllStringSubmatch(read(t, page), -1) {
		out = append(out, block{m[1], m[2]})
	}
	return out
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every block of the page stands in code that is compiled and tested, or does
// here what the page says it does.
func TestWritingAFault(t *testing.T) {
	found := blocks(t, "../writing-a-fault.md")
	if len(found) < 10 {
		t.Fatalf("only %d blocks found", len(found))
	}
	for _, b := range found {
		lang, name, _ := strings.Cut(b.kind, " ")
		switch {
		case name == "builtin.go":
			builtIn(t, b.text)
		case lang == "go" && name != "":
			if !strings.Contains(read(t, "mtu", name), b.text) {
				t.Errorf("not in docs/example/mtu/%s:\n%s", name, b.text)
			}
		case lang == "yaml":
			validate(t, b.text)
		case lang == "sh":
			command(t, strings.Fields(b.text))
		default:
			t.Errorf("nothing tests a block of kind %q", b.kind)
		}
	}
}

// builtIn makes the example a built-in fault, as the page says, in a build that
// changes no file.
func builtIn(t *testing.T, line string) {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(root, "hostagent/builtin.go")
	const list = "import (\n"
	text := read(t, source)
	if !strings.Contains(text, list) {
		t.Fatalf("the list of plugins in %s looks different now", source)
	}
	text = strings.Replace(text, list, list+line, 1)
	edited := filepath.Join(dir, "builtin.go")
	if err := os.WriteFile(edited, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{absolute(t, source): edited, absolute(t, filepath.Join(root, "plugins/mtu/mtu.go")): absolute(t, "mtu/mtu.go")}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "hostagent")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "go", "build", "-overlay", file, "-o", program, "./hostagent")
	describes(t, []string{program, "plugin", "mtu", "--describe"})
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func run(t *testing.T, argv ...string) []byte {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = root
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, &errs)
	}
	return out
}

// commands are those of the page that other tests run as they stand there: the
// injector's, on a copy of the source or in a lab.
var commands = map[string]string{
	"injector plugin new slowhop":                              "`injector` TestBegunFaultIsGreen",
	"go test ./plugins/slowhop":                                "`injector` TestBegunFaultIsGreen",
	"injector plugin test plugins/examples/python/hops.py":     "`injector` TestPythonPluginPasses",
	"injector plugin manifest plugins/examples/python/hops.py": "`internal/e2e` TestScripts (third-party)",
}

// command runs a command of the page, or looks that a test does.
func command(t *testing.T, argv []string) {
	t.Helper()
	line := strings.Join(argv, " ")
	test, elsewhere := commands[line]
	switch {
	case strings.HasPrefix(line, "go run "):
		describes(t, argv)
	case line == "injector plugin list":
		out := run(t, append([]string{"go", "run", "./injector"}, argv[1:]...)...)
		if !strings.Contains(string(out), "partition") {
			t.Errorf("%s printed\n%s", line, out)
		}
	case elsewhere:
		for _, w := range missingTests(test) {
			t.Error(w)
		}
	default:
		t.Errorf("nothing runs %q", line)
	}
}

// describes runs a command that must print the example's description.
func describes(t *testing.T, argv []string) {
	t.Helper()
	if got, want := string(run(t, argv...)), read(t, "mtu/describe.json"); got != want {
		t.Errorf("%q printed\n%s\nwant\n%s", argv, got, want)
	}
}

// validate reads an experiment that uses the example; a wrong parameter, as the
// twin, is found.
func validate(t *testing.T, text string) {
	t.Helper()
	var info fault.Info
	if err := json.Unmarshal([]byte(read(t, "mtu/describe.json")), &info); err != nil {
		t.Fatal(err)
	}
	schemas := map[string]json.RawMessage{"mtu": info.Params}
	if _, err := experiments.Parse([]byte(text), "page", nil, schemas); err != nil {
		t.Error(err)
	}
	wrong := strings.Replace(text, "1300", "1000", 1)
	if _, err := experiments.Parse([]byte(wrong), "page", nil, schemas); err == nil || !strings.Contains(err.Error(), "minimum") {
		t.Errorf("an MTU of 1000: %v", err)
	}
}
