package disk

// Child is a disk that begins as the image of a snapshot, with its identity and
// its declared use: a linked clone. It reads the frozen layers and writes its
// own: neither disk sees what the other writes. The layers stay as long as the
// child needs them, whatever becomes of the snapshot or of the disk. It returns
// an *Error with ErrNoSnapshot.
func (d *Disk) Child(id LayerID) (*Disk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	frozen, err := d.layer("clone", id)
	if err != nil {
		return nil, err
	}
	return &Disk{
		id: d.id, capacity: d.capacity, used: d.used, touched: int64(len(frozen.touched())), base: frozen, top: newLayer(frozen),
	}, nil
}

// Own is the number of bytes that the disk holds itself: all that it has in
// use, or of a child what was written since it was made.
func (d *Disk) Own() int64 {
	if d.base == nil {
		return d.Used()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	blocks := int64(0)
	for l := d.top; l != d.base; l = l.parent {
		blocks += int64(len(l.blocks))
	}
	return blocks * BlockSize
}
