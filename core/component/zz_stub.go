package component

// Datastore is the name of the datastore that a component VM serves.
func Datastore(vm string) string { return vm }
