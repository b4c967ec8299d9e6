// Package live shows a run in the terminal while it goes on: both clocks, the
// map of racks, probes as curves on the run's own time axis, faults asked and
// achieved, ledgers, the last lines, and a key to halt.
//
// The picture is made in two pure steps: state takes in what happens, frame
// draws a state at an instant in so many columns and rows. Only View knows of a
// clock and a terminal.
package live
