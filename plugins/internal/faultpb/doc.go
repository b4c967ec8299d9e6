// Package faultpb is the wire form of the fault contract. Only package fault
// uses it; nothing else sees a protobuf type.
//
// Generated with protoc 3.21, protoc-gen-go 1.36.12 and protoc-gen-go-grpc
// 1.6.2; all three must be in PATH.
package faultpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative fault.proto
