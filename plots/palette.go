package plots

import "image/color"

// palette is Okabe and Ito's, without its yellow (too pale on white), in the order of the paper's blue, orange, green,
// red, purple, and three of Tol's: colour-blind readers can tell all of them apart.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x00, 0x9e, 0x73, 0xff}, // green
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0xcc, 0x79, 0xa7, 0xff}, // purple
	{0x56, 0xb4, 0xe9, 0xff}, // sky
	{0x00, 0x00, 0x00, 0xff}, // black
	{0x88, 0x22, 0x55, 0xff}, // wine
	{0x99, 0x99, 0x33, 0xff}, // olive
	{0x33, 0x22, 0x88, 0xff}, // indigo
}

var (
	ink       = color.NRGBA{0x22, 0x22, 0x22, 0xff}
	gridGrey  = color.NRGBA{0xe4, 0xe4, 0xe4, 0xff}
	axisGrey  = color.NRGBA{0x77, 0x77, 0x77, 0xff}
	lineGrey  = color.NRGBA{0x55, 0x55, 0x55, 0xff}
	insetRed  = color.NRGBA{0xb0, 0x20, 0x20, 0xff}
	paperTone = color.NRGBA{0xff, 0xff, 0xff, 0xe6} // slightly transparent white
)

func faded(c color.NRGBA) color.NRGBA { c.A = 0x38; return c }

// groups splits curves into groups that share no panel; curves of different groups may share a colour.
func groups(n int, panels [][]int) [][]int {
	group := make([]int, n)
	for i := range group {
		group[i] = i
	}
	for _, shown := range panels {
		for _, i := range shown {
			from, to := group[i], group[shown[0]]
			for j := range group {
				if group[j] == from {
					group[j] = to
				}
			}
		}
	}
	var out [][]int
	place := map[int]int{}
	for i, g := range group {
		if _, seen := place[g]; !seen {
			place[g] = len(out)
			out = append(out, nil)
		}
		out[place[g]] = append(out[place[g]], i)
	}
	return out
}
