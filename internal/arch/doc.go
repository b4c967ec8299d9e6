// Package arch holds the shape of this repository as one table and a test that
// reads the imports of every package against it: who may import whom, who may
// start processes, and why. A package that is not in the table fails the test.
package arch
