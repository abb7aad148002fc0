package training

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
)

// publishedTables has all numbers of tables 2 to 6, a row a number.
//
//go:embed published_tables.csv
var publishedTables string

// publishedCell is a number of tables 2 to 6.
type publishedCell struct {
	table              int
	dataset, imbalance string // "CIFAR-10", "CIFAR-100"; "long-tailed", "step", "none"
	ratio              float64
	loss               string // "CE", "UL"
	efr                float64
	score, metric      string // of tables 3 and 6; "accuracy" in the others
	percent            float64
}

// publishedOf returns the numbers of a table.
func publishedOf(table int) []publishedCell {
	rows, err := csv.NewReader(strings.NewReader(publishedTables)).ReadAll()
	if err != nil {
		panic(err) // the file is part of the program
	}
	var list []publishedCell
	for _, row := range rows[1:] {
		number := func(column int) float64 {
			v, err := strconv.ParseFloat(row[column], 64)
			if err != nil {
				panic(fmt.Errorf("published_tables.csv: %w", err))
			}
			return v
		}
		cell := publishedCell{table: int(number(0)), dataset: row[1], imbalance: row[2], ratio: number(3), loss: row[4],
			efr: number(5), score: row[6], metric: row[7], percent: number(8)}
		if cell.table == table {
			list = append(list, cell)
		}
	}
	return list
}
