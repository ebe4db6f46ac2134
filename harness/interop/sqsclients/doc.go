// Package sqsclients puts our SQS service before clients of other hands (awscli
// and boto3 with the query protocol, the AWS SDK for JavaScript with JSON), and
// a service of other hands, fauxqs, under the table that ours is under
// (harness/interop/sqstable). Its tests need the build tag check, loopback and
// real time; from npm they install exact versions, once, into the user's cache.
package sqsclients
