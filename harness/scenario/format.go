package scenario

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Format is the scenario as YAML, which Parse reads back as an equal scenario.
func Format(s *Scenario) ([]byte, error) {
	var doc yaml.Node
	if err := doc.Encode(s); err != nil {
		return nil, fmt.Errorf("scenario %q does not print: %w", s.Title, err)
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		switch value := doc.Content[i+1]; doc.Content[i].Value {
		case "covers":
			setFlow(value)
		case "steps", "faults", "expect": // a line each
			for _, item := range value.Content {
				setFlow(item)
			}
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, fmt.Errorf("scenario %q does not print: %w", s.Title, err)
	}
	return out.Bytes(), enc.Close()
}

func setFlow(node *yaml.Node) {
	if node.Kind == yaml.MappingNode || node.Kind == yaml.SequenceNode {
		node.Style = yaml.FlowStyle
	}
	for _, child := range node.Content {
		setFlow(child)
	}
}
