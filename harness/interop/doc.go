// Package interop looks at worlds with clients that this project has not written,
// over SOAP, TLS and HTTP as anybody would: at a finished one, at one that a test
// serves, and at what the program itself serves (hdm serve, as a process of its
// own). Its tests need the build tag check, build govc from source (see
// govc/main.go), and fail where awscli, boto3 or node are missing.
//
// Read process_test.go for how the program is run; then migrate_test.go, in which
// clients of the message bus order a migration each: testdata/migrate.sh (awscli),
// migrate.py (boto3) and migrate.mjs (AWS SDK for JavaScript), which are there to
// be copied. migrate.py migrates warm, too: see warm_test.go. flows_test.go is a
// table of what govc must see where each flow has led.
package interop
