package site

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// Power is a person at the vCenter who powers a VM on, or pulls its plug. It
// takes the vCenter's time and can be refused, then or later, as any call: an
// error here says that it was refused at once. It does not wait: the end of the
// task says the rest.
func (p *Place) Power(vm string, on bool) (task string, err error) {
	target, ok := p.VCenter.VM(vm)
	if !ok {
		return "", fmt.Errorf("there is no VM %q at the site %s to change the power of", vm, p.Site)
	}
	person := p.VCenter.Direct("operator")
	ctx := context.Background()
	user := p.VCenter.Credentials()
	password, _ := user.Password()
	if _, err := methods.Login(ctx, person, &types.Login{This: sessionManager, UserName: user.Username(), Password: password}); err != nil {
		return "", fmt.Errorf("an operator of %s cannot log in: %w", p.Site, err)
	}
	if on {
		var started *types.PowerOnVM_TaskResponse
		if started, err = methods.PowerOnVM_Task(ctx, person, &types.PowerOnVM_Task{This: target.Ref}); err == nil {
			task = started.Returnval.Value
		}
	} else {
		var started *types.PowerOffVM_TaskResponse
		if started, err = methods.PowerOffVM_Task(ctx, person, &types.PowerOffVM_Task{This: target.Ref}); err == nil {
			task = started.Returnval.Value
		}
	}
	if _, gone := methods.Logout(ctx, person, &types.Logout{This: sessionManager}); gone != nil && err == nil {
		err = gone
	}
	if err != nil {
		return "", fmt.Errorf("an operator cannot change the power of %s at the site %s: %w", vm, p.Site, err)
	}
	return task, nil
}

var sessionManager = types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"}
