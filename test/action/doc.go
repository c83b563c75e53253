// Package action tests what runs outside of the Hub: the action for GitHub Actions in a
// workflow, which act runs, and the command ghscoped in a job and in a pod. The service
// and its Hub are real; GitHub and the issuers of identity tokens are simulated.
package action
