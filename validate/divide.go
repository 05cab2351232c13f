package validate

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// The validator divides in floating point: 19.99 is no multiple of 0.01 to it, and
// 9007199254740993 one of 2. So a schema has no multipleOf that floating point does not
// hold, and is given no number that it would round.

// divisor refuses a multipleOf that would not be held.
func divisor(v any) error {
	n, is := v.(json.Number)
	if !is {
		return nil
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if d, ok := decimalOf(n.String()); err == nil && ok && f > 0 && d.exponent > -400 {
		if exact, ok := new(big.Rat).SetString(n.String()); ok && exact.Cmp(new(big.Rat).SetFloat64(f)) == 0 {
			return nil
		}
	}
	return fmt.Errorf("its multipleOf %s would be rounded, so that numbers which keep it were refused: count in whole numbers, as in cents, or check it in the handler", n)
}

// beyondDivision says that a value holds a whole number that floating point may not hold.
func beyondDivision(v any) bool {
	const most = 1 << 53
	switch v := v.(type) {
	case int64:
		return v > most || v < -most
	case uint64:
		return v > most
	case float64:
		return v > most || v < -most
	case []any:
		return slices.ContainsFunc(v, beyondDivision)
	case map[string]any:
		for _, e := range v {
			if beyondDivision(e) {
				return true
			}
		}
	}
	return false
}

// divided says that a number is a multiple of another, exactly; anything else is.
func divided(v any, by *float64) bool {
	if by == nil {
		return true
	}
	n := new(big.Rat)
	switch v := v.(type) {
	case int64:
		n.SetInt64(v)
	case uint64:
		n.SetUint64(v)
	case float64:
		n.SetFloat64(v)
	default:
		return true
	}
	return n.Quo(n, new(big.Rat).SetFloat64(*by)).IsInt()
}
