package loopback

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatACallIsAboutIsReadFromItsXML(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		refs []string
		name string
	}{
		"double quotes": {`<a><vm type="VirtualMachine">vm-1</vm></a>`, []string{"VirtualMachine:vm-1"}, ""},
		"single quotes": {`<a><vm type = 'VirtualMachine' x="y">vm-1</vm></a>`, []string{"VirtualMachine:vm-1"}, ""},
		"a prefix":      {`<v:a xmlns:v="urn:vim25"><v:s xsi:type="v:ManagedObjectReference" type="VirtualMachineSnapshot">snapshot-1</v:s></v:a>`, []string{"VirtualMachineSnapshot:snapshot-1"}, ""},
		"entities":      {`<a><vm type="Virtual&#77;achine">vm-<![CDATA[1]]></vm></a>`, []string{"VirtualMachine:vm-1"}, ""},
		"in a comment":  {`<a><!-- <vm type="VirtualMachine">vm-1</vm> --></a>`, nil, ""},
		"in a text":     {`<a><![CDATA[<vm type="VirtualMachine">vm-1</vm>]]></a>`, nil, ""},
		"another kind":  {`<a><f type="Folder">group-1</f></a>`, nil, ""},
		"a name":        {`<a><newName>db &amp; <!-- x -->more</newName><name>later</name></a>`, nil, "db & more"},
		"it breaks off": {`<a><vm type="VirtualMachine">vm-1</vm><vm type="VirtualMachine">vm-2`, []string{"VirtualMachine:vm-1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			refs, called := named(c.body)
			assert.Equal(t, c.refs, refs)
			assert.Equal(t, c.name, called)
		})
	}
}
