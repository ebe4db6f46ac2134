// Package foreign finds programs and libraries of other hands that the interop
// tests run: Debian's, not of the same name that come first in somebody's path,
// and exact versions from npm, installed once into the user's cache. A test whose
// programs are missing fails and says how to install them.
//
// It decides where they come from and what they may know of the user's set-up. It
// never decides what they are used for. All of it needs the build tag check.
package foreign
