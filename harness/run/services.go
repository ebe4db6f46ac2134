package run

import (
	"github.com/hdm-project/hdm/core/component"
)

// services reaches the component VMs of the world.
func (st *stage) services(c component.ClientConfig) component.Port {
	c.Link = st.world.Components.Link()
	return component.NewClient(c)
}

// heard takes a heartbeat of a component VM to the appliance, if it is up.
func (st *stage) heard(h component.Heartbeat) {
	if st.app != nil {
		st.app.Hear(h)
	}
}
