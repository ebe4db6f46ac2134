// Package datapath is the component services that hold the data of VMs which
// run in the cloud: the cloud cache, and the IO manager at home.
//
//	guest --Submit--> CloudCache ====messages of core/home, frames of core/gateway====> IOManager --> the VM's disks
//	                    | core/cache per binding                      core/home per binding | (Sources)
//	                    | on the cache device                                  on the stage |
//	                    +--> the image's disks, in the cloud (Images)
//
// It decides where on its device each binding lies, when a flush has come
// through or must begin again, and in which order a reconcile copies. What is
// cached, and whether a flush is whole, is decided by core/cache and core/home;
// when to flush by the appliance, which sends commands (core/component).
//
// The services are sans-IO but for their devices, which they drive at once:
// they are handed requests, frames, commands and the time, and hand back frames
// and when they want to be called again. Each has one owner, so they have no
// locks. Their memory is lost when their VM restarts; Reopen makes them again
// from what is on the device.
//
// Read this file, then volume.go (a device and what lies on it), jobs.go
// (commands), cloudcache.go, flush.go, reconcile.go, iomanager.go, and wire.go
// (the ends of the message gateways).
package datapath
