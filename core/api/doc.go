// Package api is what the vCenter plug-in and the appliance console are shown of
// HDM (MIG-01, MIG-09, System Health): the types of migration that are offered,
// the views In Progress and Summary, the health with every component's, HDM's own
// log, what it does about failures, and what failed migrations have left in the
// cloud.
//
// It decides what the views hold and how they are written. It changes nothing:
// its HTTP interface knows GET alone, and whoever may reach it is the caller's to
// decide. It asks no clock, and shows no secrets, for it is given none.
//
// Read views.go and failures.go, then handler.go.
package api
