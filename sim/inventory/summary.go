package inventory

// Kind is losses that have the same said of them, about several objects.
type Kind struct {
	First Loss
	Count int
}

// Summary groups losses, in the order of the first of each kind.
func Summary(losses []Loss) []Kind {
	var kinds []Kind
	at := map[string]int{}
	for _, l := range losses {
		i, known := at[l.What]
		if !known {
			i = len(kinds)
			at[l.What] = i
			kinds = append(kinds, Kind{First: l})
		}
		kinds[i].Count++
	}
	return kinds
}
