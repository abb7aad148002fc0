// Package dormandprince has the coefficients of the Runge–Kutta pair of orders 5 and 4 of Dormand and Prince
// (J. Comput. Appl. Math. 6 (1980) 19–26), for the ODE solvers in gonum and in gomlx graphs.
package dormandprince

// Stages[i] are the weights of slopes 0 … i−1 in the state at which slope i is computed, at the time Nodes[i]. The
// state of the last stage is the solution of order 5.
var (
	Stages = [7][]float64{
		{},
		{1. / 5},
		{3. / 40, 9. / 40},
		{44. / 45, -56. / 15, 32. / 9},
		{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
		{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
		{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
	}
	Nodes = [7]float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1}
)

// Errors are the differences of the weights of order 5 and 4.
var Errors = [7]float64{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40}
