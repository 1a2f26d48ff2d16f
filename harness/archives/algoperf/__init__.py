"""AlgoPerf: log trees and the integral of performance profiles."""
