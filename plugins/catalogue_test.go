package plugins

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestCatalogueHoldsSoundDescriptions(t *testing.T) {
	infos, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) == 0 {
		t.Fatal("the catalogue is empty")
	}
	for kind, info := range infos {
		if info.Summary == "" || info.PluginVersion == "" || info.ContractVersion != fault.ContractVersion || len(info.Touches) == 0 || info.Destroys == "" {
			t.Errorf("%s: description has gaps: %+v", kind, info)
		}
		schema, err := jsonschema.UnmarshalJSON(strings.NewReader(string(info.Params)))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("params.json", schema); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		s, err := c.Compile("params.json")
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if s.Validate(map[string]any{"no-such-parameter": json.Number("1")}) == nil {
			t.Errorf("%s: the schema lets an unknown parameter pass", kind)
		}
	}
}

func TestCatalogueRefusesWrongDescriptions(t *testing.T) {
	for name, content := range map[string]string{"no JSON": "{", "another name": `{"kind":"smoke"}`} {
		fsys := fstest.MapFS{"fire/describe.json": {Data: []byte(content)}}
		if _, err := read(fsys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
