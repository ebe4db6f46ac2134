// Package interop looks at a finished world with clients that this project has
// not written, over SOAP and TLS as anybody would. Its test needs the build tag
// check, and builds govc from source: see govc/main.go.
package interop
