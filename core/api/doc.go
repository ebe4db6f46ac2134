// Package api is what the vCenter plug-in and the appliance console are shown of
// HDM (MIG-01, MIG-09, System Health): the types of migration that are offered,
// the views In Progress and Summary, and the health.
//
// It decides what the views hold and how they are written. It changes nothing:
// its HTTP interface knows GET alone, and whoever may reach it is the caller's to
// decide. It asks no clock, and shows no secrets, for it is given none.
//
// Read views.go, then handler.go.
package api
