package oidcsim

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Lives of an Actions token: valid for some time before it was issued, too.
const (
	actionsBefore = 10 * time.Minute
	actionsAfter  = 5 * time.Minute
)

// Job is a job of a workflow in GitHub Actions. Its zero fields are filled in: a push
// to the branch main of octo/deploy (repository 1, owner 2) by octocat, which runs
// .github/workflows/deploy.yaml.
type Job struct {
	Repository        string // OWNER/NAME
	RepositoryID      int64
	RepositoryOwnerID int64
	Visibility        string // private, if empty
	Ref               string // refs/heads/main, refs/tags/v1, refs/pull/7/merge
	HeadRef, BaseRef  string // branches of a pull request
	SHA               string
	Environment       string
	Workflow          string // path of the file in the repository
	WorkflowRef       string // OWNER/NAME/PATH@REF; that of Workflow at Ref, if empty
	JobWorkflowRef    string // that of a reusable workflow; WorkflowRef, if empty
	EventName         string
	Actor             string
	RunID             string
}

func (j Job) withDefaults() Job {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if j.RepositoryID == 0 {
		j.RepositoryID = 1
	}
	if j.RepositoryOwnerID == 0 {
		j.RepositoryOwnerID = 2
	}
	fill(&j.Repository, "octo/deploy")
	fill(&j.Visibility, "private")
	fill(&j.Ref, "refs/heads/main")
	fill(&j.SHA, strings.Repeat("1a2b3c4d", 5))
	fill(&j.Workflow, ".github/workflows/deploy.yaml")
	fill(&j.WorkflowRef, j.Repository+"/"+j.Workflow+"@"+j.Ref)
	fill(&j.JobWorkflowRef, j.WorkflowRef)
	fill(&j.EventName, "push")
	fill(&j.Actor, "octocat")
	fill(&j.RunID, "1001")
	return j
}

// subject is GitHub's default for the claim sub.
func (j Job) subject() string {
	switch {
	case j.Environment != "":
		return "repo:" + j.Repository + ":environment:" + strings.ReplaceAll(j.Environment, ":", "%3A")
	case j.EventName == "pull_request":
		return "repo:" + j.Repository + ":pull_request"
	}
	return "repo:" + j.Repository + ":ref:" + j.Ref
}

// refType: GitHub calls everything a branch that is no tag.
func (j Job) refType() string {
	if strings.HasPrefix(j.Ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// JobClaims are what GitHub says of a job, to an audience; without one, that is the
// owner's page. Each time with a jti of its own.
func (i *Issuer) JobClaims(job Job, audience string) Claims {
	job = job.withDefaults()
	owner, _, _ := strings.Cut(job.Repository, "/")
	if audience == "" {
		audience = "https://github.com/" + owner
	}
	now := i.opts.Clock()
	claims := Claims{
		"iss": i.url, "aud": audience, "sub": job.subject(), "jti": i.nextJTI(),
		"iat": now.Unix(), "nbf": now.Add(-actionsBefore).Unix(), "exp": now.Add(actionsAfter).Unix(),
		"repository": job.Repository, "repository_id": strconv.FormatInt(job.RepositoryID, 10), "repository_visibility": job.Visibility,
		"repository_owner": owner, "repository_owner_id": strconv.FormatInt(job.RepositoryOwnerID, 10),
		"ref": job.Ref, "ref_type": job.refType(), "ref_protected": "false", "head_ref": job.HeadRef, "base_ref": job.BaseRef, "sha": job.SHA,
		"workflow": job.Workflow, "workflow_ref": job.WorkflowRef, "workflow_sha": job.SHA,
		"job_workflow_ref": job.JobWorkflowRef, "job_workflow_sha": job.SHA,
		"event_name": job.EventName, "actor": job.Actor, "actor_id": "12",
		"run_id": job.RunID, "run_number": "10", "run_attempt": "1", "runner_environment": "github-hosted",
	}
	if job.Environment != "" { // else there is no such claim
		claims["environment"] = job.Environment
	}
	return claims
}

// nextJTI has the form of a UUID.
func (i *Issuer) nextJTI() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jtis++
	return fmt.Sprintf("3a5b8c1d-0000-4000-8000-%012x", i.jtis)
}

const jobPath = "/jobs/"

// StartJob has a job ask for tokens: it returns what its runner has as
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN.
func (i *Issuer) StartJob(job Job) (requestURL, requestToken string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jobCount++
	requestToken = rand.Text()
	i.jobs[requestToken] = job
	return i.url + jobPath + strconv.Itoa(i.jobCount) + "/idtoken?api-version=2.0", requestToken
}

// EndJob has a job's request token be refused from now on.
func (i *Issuer) EndJob(requestToken string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.jobs, requestToken)
}

// giveToken answers a job that asks for its identity.
func (i *Issuer) giveToken(w http.ResponseWriter, r *http.Request) {
	requestToken, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i.mu.Lock()
	job, known := i.jobs[requestToken]
	i.mu.Unlock()
	if !found || !known {
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	writeJSON(w, map[string]any{"count": 1, "value": i.Sign(i.JobClaims(job, r.URL.Query().Get("audience")))})
}
