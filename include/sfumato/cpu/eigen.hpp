#pragma once
// Eigen's headers are not ours to answer for where a program asks for more warnings than they were
// written with.
#pragma GCC system_header

// Eigen puts two arrays of up to this many bytes on the stack; 128 KiB, its own choice, would be
// all of a small one.
#ifndef EIGEN_STACK_ALLOCATION_LIMIT
#define EIGEN_STACK_ALLOCATION_LIMIT 16384
#endif

#include <Eigen/Core>
