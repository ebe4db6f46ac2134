// Package sqlite shows that a migrated VM's data is crash consistent in the
// eyes of a real program: SQLite, on two disks of a VM that runs in the cloud
// (clauses CACHE-05 to CACHE-07).
//
// It decides nothing: it is tests only. SQLite keeps its database on the first
// disk and its log on the second, so that disks which are not of one instant
// show. Between SQLite and the premises stand the real core/cache and
// core/home, on devices whose power goes.
//
//	SQLite -> files -> guest disks -> core/cache -> cache device     the cloud loses power: what was committed is there
//	                                      | flush
//	                                  core/home -> stage, disks      the premises do: what was flushed is there, whole
//
// Read bank_test.go (what SQLite is made to do, and the judge), files_test.go
// (where its files lie), path_test.go (the data path), campaign_test.go.
package sqlite
