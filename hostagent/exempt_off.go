//go:build firedrill_noexempt

package main

const exemptOff = true
