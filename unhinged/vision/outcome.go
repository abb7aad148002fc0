package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/unhinged-lab/lab/internal/files"
	"github.com/unhinged-lab/lab/internal/regular"
	"github.com/unhinged-lab/lab/internal/strictjson"
	"github.com/unhinged-lab/lab/unhinged/datasets"
	"github.com/unhinged-lab/lab/unhinged/result"
)

// Outcome is a finished run as its folder stores it.
type Outcome struct {
	Settings   Settings          `json:"settings"`
	Diverged   *Diverged         `json:"diverged,omitempty"` // why it stopped early
	Provenance result.Provenance `json:"provenance"`
	Log        logSeal           `json:"log"`
	Outputs    string            `json:"outputs_sha256,omitempty"` // of OutputsFile
	Records    []Record          `json:"-"`                        // they are in LogFile
	Folder     string            `json:"-"`                        // that it was read from

	// Sum is the SHA-256 of the outcome as outcomeContent writes it, but with an empty Sum.
	Sum string `json:"sha256"`
}

// maxLog bounds the files of a run that are read whole; a record has about a kilobyte.
const maxLog = 1 << 30

// logSeal has the size and the checksum that the log of a finished run must have.
type logSeal struct {
	Records int    `json:"records"`
	Sum     string `json:"sha256"` // of the whole file
}

// Finished returns the outcome that a run has written into its folder at its end, in this process or in another, and
// nil if the run is not finished. It needs no checkpoint. It is an error if the outcome has other settings, or if a
// file of the run is damaged.
func (t Training) Finished(backend compute.Backend, data *datasets.Dataset) (*Outcome, error) {
	t, err := t.complete(data)
	if err != nil || t.Folder == "" {
		return nil, err
	}
	path := filepath.Join(t.Folder, OutcomeFile)
	o, err := readOutcome(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if now := t.settings(backend, data); o.Settings != now {
		return nil, otherSettings(path, o.Settings, now)
	}
	if _, err := loadCheckpoint(filepath.Join(t.Folder, CheckpointFile)); err != nil {
		return nil, err
	}
	return &o, nil
}

// result returns the values that Run returns for a finished run.
func (o *Outcome) result(err error) ([]Record, error) {
	switch {
	case err != nil:
		return nil, err
	case o.Diverged != nil:
		return o.Records, o.Diverged
	}
	return o.Records, nil
}

func otherSettings(path string, saved, now Settings) error {
	return fmt.Errorf("%s is of a run with other settings: %s. Choose another folder, or remove it to start again",
		path, difference(saved, now))
}

func (r *run) writeOutcome() error {
	if r.Folder == "" {
		return nil
	}
	o := Outcome{Settings: r.settings, Diverged: r.diverged, Provenance: r.Provenance, Records: r.records}
	if r.diverged == nil {
		var err error
		if o.Outputs, err = r.writeOutputs(); err != nil {
			return err
		}
	}
	if err := r.claimed(); err != nil { // after the evaluation, which takes its time
		return err
	}
	o.Provenance.Seed, o.Provenance.Backend, o.Provenance.Go = r.Seed, r.settings.Backend, runtime.Version()
	o.Provenance.Started = r.began.UTC().Truncate(time.Second)
	o.Provenance.Duration = (r.earlier + time.Since(r.here)).Seconds()
	return o.Write(r.Folder)
}

// Write writes the outcome and its log, with their checksums, into a folder that must exist.
func (o Outcome) Write(folder string) error {
	log, err := logContent(o.Records)
	if err != nil {
		return err
	}
	o = o.seal(log)
	if err := writeFile(filepath.Join(folder, LogFile), log); err != nil {
		return err
	}
	return writeFile(filepath.Join(folder, OutcomeFile), o.content())
}

func writeFile(path string, content []byte) error {
	return files.WriteBytes(path, content)
}

// content returns the content of the outcome's file.
func (o Outcome) content() []byte {
	content, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		panic(err) // all numbers in it are finite
	}
	return append(content, '\n')
}

// seal adds the checksums: of the log's content, and of the outcome itself.
func (o Outcome) seal(log []byte) Outcome {
	o.Log = logSeal{Records: bytes.Count(log, []byte("\n")), Sum: sumOf(log)}
	o.Sum = o.sum()
	return o
}

// sum returns the value that Sum must have.
func (o Outcome) sum() string {
	o.Sum = ""
	return sumOf(o.content())
}

// sumOf is the SHA-256 of content in hexadecimal.
func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// logContent returns the content of the log's file: a line of JSON for each record.
func logContent(records []Record) ([]byte, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	for _, record := range records {
		if err := encoder.Encode(record); err != nil {
			return nil, err
		}
	}
	return content.Bytes(), nil
}

// ReadOutcomes reads the finished runs in the subfolders of folder, by method in the order of Methods, then by seed.
// The folder may be a pattern, such as results/training/*, for several folders. If several runs have equal settings, a
// run was done again, and only the one that began last is returned.
func ReadOutcomes(folder string) ([]Outcome, error) {
	var paths []string
	info, err := os.Stat(folder)
	if err == nil && info.IsDir() { // and not a pattern, whatever characters its name has
		paths, err = fs.Glob(os.DirFS(folder), "*/"+OutcomeFile)
		for i := range paths {
			paths[i] = filepath.Join(folder, paths[i])
		}
	} else {
		paths, err = filepath.Glob(filepath.Join(folder, "*", OutcomeFile))
	}
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no subfolder with a finished run (%s); `unhinged train --out %s` makes them",
			folder, OutcomeFile, folder)
	}
	var outcomes []Outcome
	place := map[Settings]int{}
	for _, path := range paths {
		o, err := readOutcome(path)
		if err != nil {
			return nil, err
		}
		i, again := place[o.Settings]
		if !again {
			place[o.Settings] = len(outcomes)
			outcomes = append(outcomes, o)
		} else if o.Provenance.Started.After(outcomes[i].Provenance.Started) {
			outcomes[i] = o
		}
	}
	slices.SortStableFunc(outcomes, func(a, b Outcome) int {
		if d := rank(a.Settings.Method) - rank(b.Settings.Method); d != 0 {
			return d
		}
		return int(a.Settings.Seed) - int(b.Settings.Seed)
	})
	return outcomes, nil
}

// readOutcome reads an outcome and the log beside it, and compares the checksums of both.
func readOutcome(path string) (o Outcome, err error) {
	content, err := regular.ReadFile(path, maxLog)
	if err != nil {
		return o, err
	}
	remedy := fmt.Sprintf("Remove the folder %s to train this run again", filepath.Dir(path))
	if err := strictjson.Unmarshal(content, &o); err != nil {
		return o, fmt.Errorf("%s: %w. %s", path, err, remedy)
	}
	if o.Sum == "" {
		return o,
			fmt.Errorf("%s: an earlier version wrote it, without a checksum, so that damage would not be seen. %s",
				path, remedy)
	}
	if o.Sum != o.sum() || !bytes.Equal(content, o.content()) { // such as a key in capitals
		return o, fmt.Errorf("%s: the file is damaged or was changed: its checksum is not that of its content. %s",
			path, remedy)
	}
	path = filepath.Join(filepath.Dir(path), LogFile)
	if content, err = regular.ReadFile(path, maxLog); err != nil {
		return o, fmt.Errorf("%w. %s", err, remedy)
	}
	if lines := bytes.Count(content, []byte("\n")); lines != o.Log.Records || sumOf(content) != o.Log.Sum {
		return o,
			fmt.Errorf("%s: the log is not the one of this finished run: it has %d records with SHA-256 %s, and %s "+
				"says %d and %s. %s",
				path, lines, sumOf(content), OutcomeFile, o.Log.Records, o.Log.Sum, remedy)
	}
	o.Folder = filepath.Dir(path)
	o.Records, err = readLog(path, content)
	return o, err
}

func rank(method string) int {
	return slices.IndexFunc(Methods(), func(m Method) bool { return m.Name == method })
}

func readLog(path string, content []byte) ([]Record, error) {
	var records []Record
	for line := range bytes.Lines(content) {
		var record Record
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, len(records)+1, err)
		}
		records = append(records, record)
	}
	return records, nil
}
