package sqs

// batch is the queue of a batch whose entries may be looked at one by one.
func (c *call) batch() (*queue, *Error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	switch n := len(c.in.Entries); {
	case n == 0:
		return nil, bad("EmptyBatchRequest", "There should be at least one %s entry in the request.", c.in.Operation)
	case n > maxEntries:
		return nil, bad("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d: send several batches.", maxEntries, n)
	}
	seen := map[string]bool{}
	for i := range c.in.Entries {
		id := c.in.Entries[i].ID
		switch {
		case id == "" || len(id) > maxEntryID || !only(id, "-_"):
			return nil, bad("InvalidBatchEntryId", "%s is no id of a batch entry: use 1 to %d of A-Z, a-z, 0-9, '_' and '-'.", quote(id), maxEntryID)
		case seen[id]:
			return nil, bad("BatchEntryIdsNotDistinct", "Id %s repeated: give each entry of a batch its own.", id)
		}
		seen[id] = true
	}
	return q, nil
}

// each does something for every entry; one that fails does not keep the others.
func (c *call) each(do func(*entry) (*sentMessage, *Error)) (*output, *Error) {
	out := &output{}
	for i := range c.in.Entries {
		e := &c.in.Entries[i]
		if sent, err := do(e); err != nil {
			out.Failed = append(out.Failed, failedEntry{ID: e.ID, Code: err.Code, Message: err.Message, SenderFault: err.fault() == "Sender"})
		} else {
			out.Successful = append(out.Successful, sentEntry{ID: e.ID, sentMessage: sent})
		}
	}
	return out, nil
}
