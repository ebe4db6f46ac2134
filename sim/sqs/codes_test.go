package sqs_test

import (
	"encoding/xml"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs/schemas"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/sqs"
)

// TestErrorsHaveTheCodesOfTheAPIModel compares with the model that AWS's own SDK
// is made of.
func TestErrorsHaveTheCodesOfTheAPIModel(t *testing.T) {
	for _, model := range []*smithy.Schema{
		schemas.BatchEntryIdsNotDistinct, schemas.BatchRequestTooLong, schemas.EmptyBatchRequest, schemas.InvalidAddress,
		schemas.InvalidAttributeName, schemas.InvalidAttributeValue, schemas.InvalidBatchEntryId, schemas.InvalidIdFormat,
		schemas.InvalidMessageContents, schemas.MessageNotInflight, schemas.OverLimit, schemas.PurgeQueueInProgress,
		schemas.QueueDeletedRecently, schemas.QueueDoesNotExist, schemas.QueueNameExists, schemas.ReceiptHandleIsInvalid,
		schemas.RequestThrottled, schemas.ResourceNotFoundException, schemas.TooManyEntriesInBatchRequest, schemas.UnsupportedOperation,
	} {
		name := model.ID().Name
		want, status := name, http.StatusBadRequest
		if query, has := smithy.SchemaTrait[*traits.AWSQueryError](model); has {
			want, status = query.ErrorCode, query.StatusCode
		}
		w := start(t, with("ListQueues", sqs.Fail(name, status)))
		a := w.do("ListQueues", object{})
		assert.Equal(t, "com.amazonaws.sqs#"+name, a.Type)
		assert.Equal(t, want+";Sender", a.header.Get("x-amzn-query-error"))

		var got struct {
			Error struct{ Type, Code, Message string }
		}
		w.Do(sqs.Request{Method: http.MethodPost, Path: "/", Body: []byte("Action=ListQueues")}, func(r sqs.Response) {
			assert.Equal(t, status, r.Status)
			require.NoError(t, xml.Unmarshal(r.Body, &got))
		})
		assert.Equal(t, want, got.Error.Code)
		assert.Equal(t, "Sender", got.Error.Type)
		assert.NotEmpty(t, got.Error.Message)
	}
}
