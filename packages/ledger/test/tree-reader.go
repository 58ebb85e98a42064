// An independent reader of a transparency log's folder, made of the packages of the Go checksum database alone: golang.org/x/mod/sumdb/note
// and golang.org/x/mod/sumdb/tlog. It verifies the checkpoint, computes the root from the entries and again from the tiles, and checks a proof
// of every entry and of consistency with several older sizes, all from the files. Usage: tree-reader FOLDER VKEY [COSIGNER-VKEY]
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if err := verify(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func verify(args []string) error {
	folder := args[0]
	verifier, err := note.NewVerifier(args[1])
	if err != nil {
		return err
	}
	verifiers := []note.Verifier{verifier}
	if len(args) > 2 {
		cosigner, err := newCosigner(args[2])
		if err != nil {
			return err
		}
		verifiers = append(verifiers, cosigner)
	}
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != len(verifiers) {
		return fmt.Errorf("%d signatures verified, expected %d", len(opened.Sigs), len(verifiers))
	}
	tree, err := parseHead(opened.Text)
	if err != nil {
		return err
	}
	entries, err := readEntries(folder, tree.N)
	if err != nil {
		return err
	}
	if err := checkEntries(tree, entries); err != nil {
		return err
	}
	if err := checkTiles(folder, tree, entries); err != nil {
		return err
	}
	fmt.Printf("verified %d entries, %d signatures\n", tree.N, len(opened.Sigs))
	return nil
}

func parseHead(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, fmt.Errorf("no checkpoint: %q", text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// path is where a tile stands in the layout of tlog-tiles, which leaves out the height that the paths of the Go checksum database name.
func path(folder string, tile tlog.Tile) string {
	return filepath.Join(folder, strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tile.H), "tile/", 1))
}

func readEntries(folder string, size int64) ([][]byte, error) {
	var entries [][]byte
	for n := int64(0); n<<height < size; n++ {
		width := 1 << height
		if left := size - n<<height; left < int64(width) {
			width = int(left)
		}
		tile := tlog.Tile{H: height, L: -1, N: n, W: width}
		bundle, err := os.ReadFile(strings.Replace(path(folder, tile), "/tile/data/", "/tile/entries/", 1))
		if err != nil {
			return nil, err
		}
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			entries = append(entries, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
	}
	if int64(len(entries)) != size {
		return nil, fmt.Errorf("%d entries, expected %d", len(entries), size)
	}
	return entries, nil
}

// checkEntries computes the tree from the entries alone.
func checkEntries(tree tlog.Tree, entries [][]byte) error {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, hashes[index])
		}
		return found, nil
	})
	for n, entry := range entries {
		stored, err := tlog.StoredHashes(int64(n), entry, reader)
		if err != nil {
			return err
		}
		hashes = append(hashes, stored...)
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the entries give root %v, signed is %v", root, tree.Hash)
	}
	return nil
}

// checkTiles proves from the tiles; the reader holds every tile it reads against the signed root.
func checkTiles(folder string, tree tlog.Tree, entries [][]byte) error {
	reader := tlog.TileHashReader(tree, tileFiles{folder})
	for n, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(n), reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", n, err)
		}
	}
	for _, size := range []int64{1, 2, 255, 256, 257, 300, tree.N - 1, tree.N} {
		if size < 1 || size > tree.N {
			continue
		}
		older, err := tlog.TreeHash(size, reader)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, size, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, older); err != nil {
			return fmt.Errorf("size %d: %w", size, err)
		}
	}
	return nil
}

type tileFiles struct{ folder string }

func (files tileFiles) Height() int                     { return height }
func (files tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (files tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range tiles {
		content, err := os.ReadFile(path(files.folder, tile))
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

// cosigner verifies timestamped signatures of C2SP tlog-cosignature, which the note package does not know.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("no verifier key: %q", vkey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, fmt.Errorf("no cosigner key: %q", vkey)
	}
	return cosigner{parts[0], uint32(hash), key[1:]}, nil
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text)
	return ed25519.Verify(c.key, []byte(message), signature[8:])
}
