package fault

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// paramsSchema derives the JSON Schema of parameters from their Go type: json
// tags name them, jsonschema tags bound and describe them. It has no
// references, so that it can be nested in the schema of experiments, and allows
// no unknown keys.
func paramsSchema[P any]() (json.RawMessage, error) {
	r := &jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	s := r.ReflectFromType(reflect.TypeFor[P]())
	s.Version = ""
	return json.Marshal(s)
}
