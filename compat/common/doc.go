// Package common stands in for Dokku's own package of the same import path. It
// offers, with the same names and signatures, the part that upgrade-guard uses
// and no more, because that package cannot be fetched as a module where
// upgrade-guard is built. It is written from the documented behaviour, the
// traps included; common_test.go holds it to that.
//
// It runs no programs and fires no triggers for us: the original keeps whatever they
// print, however much, and leaves what they have started behind (src/host/exec.go).
//
// Only package host imports it.
package common
